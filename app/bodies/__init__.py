"""Request bodies and headers -> arrays, limits and preferences."""
