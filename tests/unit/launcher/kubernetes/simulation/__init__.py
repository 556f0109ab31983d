"""A cluster whose controllers, nodes, queues and API misbehave, and launchers that follow work in it."""
