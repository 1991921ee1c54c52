"""Moving frames by the shifts that a registration found; `shift_image` moves one image."""
