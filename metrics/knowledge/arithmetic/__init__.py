"""Equations in steps: found, read with exact numbers, and judged. Evaluates nothing but its own bounded grammar."""
