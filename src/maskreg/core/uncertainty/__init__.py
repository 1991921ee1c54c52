"""How far a refined shift may be off: its covariance, as noise, its residual and few electrons make it."""
