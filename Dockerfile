# The browser app in a container: see docs/serving.md.
#   docker build -t regulars .
#   docker run -it --rm -v regulars:/workspace regulars regulars serve /workspace --set-password
#   docker run -d -p 127.0.0.1:8000:8000 -v regulars:/workspace regulars
FROM python:3.12-slim

COPY . /source
RUN pip install --no-cache-dir -c /source/constraints.txt '/source[app,postgres]' && rm -rf /source \
 && useradd --create-home --uid 10001 regulars \
 && install -d -o regulars -g regulars -m 700 /workspace

USER regulars
VOLUME /workspace
EXPOSE 8000
STOPSIGNAL SIGINT
CMD ["regulars", "serve", "/workspace", "--host", "0.0.0.0", "--port", "8000", "--no-browser"]
