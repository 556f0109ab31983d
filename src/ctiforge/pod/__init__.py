"""How a program starts and ends: in this process, and in one of its own, on a laptop as in a pod."""
