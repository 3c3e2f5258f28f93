"""The customer's demo: Chat API and load test, and what stands in for vLLM and DCGM on machines without a GPU."""
