"""X-ray powder simulator: reflections, finite-size and instrumental broadening, exact derivatives; CPU and GPU."""
