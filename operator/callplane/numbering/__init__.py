"""What is true of telephone numbers whoever holds them: number plans, allocation, their life."""
