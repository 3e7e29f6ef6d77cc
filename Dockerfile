# The bot with its engine, for one machine with an NVIDIA GPU.
#
# The CUDA runtime libraries come as pinned wheels with torch (requirements/cuda.lock), so the base
# needs none of its own: the host brings the driver and the NVIDIA container toolkit.
FROM python:3.12-slim-bookworm

ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    DATA_DIR=/data \
    WEB_HOST=127.0.0.1 \
    WEB_PORT=8080

WORKDIR /app

# Dependencies first: this layer is rebuilt only when the lock changes.
COPY requirements/cuda.lock requirements/cuda.lock
RUN pip install --disable-pip-version-check -r requirements/cuda.lock

COPY config.yaml quick_aiogram.py ./
COPY bot bot
COPY pipelines pipelines
COPY faceswap faceswap
COPY storage storage
COPY weights/micro weights/micro

# Never root. /data holds the database and the pictures, /weights the weights that are fetched.
RUN useradd --system --uid 10001 --home-dir /data kandinsky \
    && install -d -o kandinsky -g kandinsky /data /weights \
    && ln -s /weights/kandinsky3 weights/kandinsky3
USER kandinsky
VOLUME ["/data", "/weights"]

# A port of the container's own, for the health check; a webhook needs WEB_HOST=0.0.0.0 and a published
# port. Weights of a large profile take minutes to load: be patient at the start only.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10m --retries=3 \
    CMD ["python", "-m", "bot.web.probe"]

# A graceful stop finishes or requeues the running batch.
STOPSIGNAL SIGTERM
CMD ["python", "-m", "bot"]
