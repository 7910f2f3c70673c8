"""Training: phases of steps, their budgets, optimisers and checkpoints."""
