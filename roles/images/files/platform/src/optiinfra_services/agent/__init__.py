"""The four agents: one program, told by AGENT_TYPE which of them it is."""
