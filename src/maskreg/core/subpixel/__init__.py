"""From a whole pixel to a shift below it: masked least squares with the gradient of the reference."""
