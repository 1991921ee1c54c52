"""Look-alikes of other libraries' functions, on our core; and bridges to their transforms.

Imported only on request: ``from maskreg.compat.skimage import phase_cross_correlation``. None of
these modules imports the library that it resembles.
"""
