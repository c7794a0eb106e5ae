"""X-ray powder simulator: reflections, broadening by size, strain and instrument, exact derivatives; CPU and GPU."""
