"""The orchestrator: knows which agents are alive and hands requests to them."""
