# syntax=docker/dockerfile:1
FROM python:3.13-slim AS build
WORKDIR /build
COPY . .
RUN python -m venv /opt/portal \
    && /opt/portal/bin/pip install --no-cache-dir -c constraints.txt '.[redis]'

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin portal \
    && install -d -o portal -g portal /data
COPY --from=build /opt/portal /opt/portal
# Works on a read-only file system: whatever it writes goes to /data.
ENV PATH=/opt/portal/bin:$PATH \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    PORTAL_DATA_DIR=/data TMPDIR=/data PORTAL_HOST=0.0.0.0
USER portal
WORKDIR /data
VOLUME /data
EXPOSE 7007
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ.get('PORTAL_PORT', '7007')}/healthz\", timeout=2)"]
ENTRYPOINT ["portal"]
CMD ["up"]
