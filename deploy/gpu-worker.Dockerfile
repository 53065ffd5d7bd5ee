# syntax=docker/dockerfile:1
# The roles' image with llama.cpp. Build deploy/Dockerfile first (compose does): `--build-context roles=...` names it.

FROM roles AS llama
USER root
# cpu, cuda or vulkan.
ARG GPU=cpu
WORKDIR /app
RUN if [ "$GPU" = cpu ]; then node setup/gpu-worker.mjs; else node setup/gpu-worker.mjs --gpu "$GPU"; fi

FROM roles
COPY --from=llama /app/gpu-worker/node_modules /app/gpu-worker/node_modules
USER node
