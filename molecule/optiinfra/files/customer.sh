#!/usr/bin/env bash
# A customer's GPU host in the platform's network: three pages of metrics that never change.
set -euo pipefail
mkdir -p /root/customer
cd /root/customer
cat >metrics <<'EOF'
vllm:num_requests_running{model_name="mistral"} 2
vllm:num_requests_waiting{model_name="mistral"} 7
vllm:generation_tokens_total{model_name="mistral"} 1000
vllm:e2e_request_latency_seconds_bucket{le="1.0",model_name="mistral"} 40
vllm:e2e_request_latency_seconds_bucket{le="+Inf",model_name="mistral"} 50
EOF
cat >chat <<'EOF'
http_requests_total{status="200"} 100
EOF
cat >dcgm <<'EOF'
DCGM_FI_DEV_GPU_UTIL{gpu="0"} 3
DCGM_FI_DEV_POWER_USAGE{gpu="0"} 35
DCGM_FI_DEV_FB_USED{gpu="0"} 2000
DCGM_FI_DEV_FB_FREE{gpu="0"} 14000
EOF
chmod 755 /root /root/customer
docker run --detach --name customer --network optiinfra --volume /root/customer:/srv:ro \
    "$(docker inspect --format '{{.Config.Image}}' optiinfra-collector)" \
    python3 -m http.server 8100 --directory /srv
