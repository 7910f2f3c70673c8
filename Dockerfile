# tile-engine on the CPU: docker build -t tile-engine . && docker run --rm -u "$(id -u):$(id -g)" -v "$PWD:/data" tile-engine run cluster slides
FROM python:3.11-slim
WORKDIR /opt/tile-engine
COPY . .
RUN python -m venv /opt/venv
RUN /opt/venv/bin/python -m pip install --no-cache-dir torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu
RUN /opt/venv/bin/python -m pip install --no-cache-dir -c constraints.txt '.[s3,search]'
# any user may run it: what is compiled and configured on the way lies where everybody may write
ENV PATH=/opt/venv/bin:$PATH NUMBA_CACHE_DIR=/tmp/numba MPLCONFIGDIR=/tmp/matplotlib
RUN tile-engine --version
WORKDIR /data
ENTRYPOINT ["tile-engine"]
