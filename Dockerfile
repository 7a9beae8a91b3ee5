# Node 24.22.1 or later: older ones have a hole in their brotli decoder. In a deployment pin such a
# release by digest: --build-arg NODE_IMAGE=node:24-bookworm-slim@sha256:...
ARG NODE_IMAGE=node:24-bookworm-slim

# --- build: the compiler and the sources; nothing of it but the output goes on
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY src ./src
RUN npm run build
COPY samples ./samples
# a clone made under umask 077 would give files that only root can read
RUN chmod -R a+rX package.json dist samples

# --- dependencies: what the service needs while it runs
FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

# --- runtime
FROM ${NODE_IMAGE} AS runtime
RUN apt-get update \
  && apt-get install -y --no-install-recommends ffmpeg \
  && rm -rf /var/lib/apt/lists/*

ENV NODE_ENV=production
WORKDIR /app

# The mount point of the library: AUDIO_FILES_DIR is ./uploads/audio unless it is set. No VOLUME,
# which would leave an anonymous volume behind each container.
RUN mkdir -p uploads/audio
# What is made of tracks goes to CACHE_DIR, ./cache unless it is set; a new named volume that is
# mounted there takes over the owner.
RUN install -d -o 1000 -g 1000 cache

# All the rest belongs to root: the service cannot change its own code, and writes to nothing but
# CACHE_DIR, so the root file system can be read-only.
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/package.json ./
COPY --from=build /app/dist ./dist
# for the demo, `node dist/demo.js`
COPY --from=build /app/samples ./samples

# The user `node` by number: Kubernetes checks runAsNonRoot against a number only.
USER 1000:1000

EXPOSE 3005

# The slim image has no curl. A container listens on all interfaces (HOST empty), so on this too.
HEALTHCHECK --interval=15s --timeout=4s --start-period=15s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3005}/health`, { signal: AbortSignal.timeout(3000) }).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]

# Exec form: Node is process 1, gets the signal itself and drains for DRAIN_TIMEOUT_SECONDS. No tini:
# process 1 has no default action for signals, but the service handles SIGTERM and SIGINT, and Node
# reaps the children it starts.
STOPSIGNAL SIGTERM
CMD ["node", "dist/index.js"]
