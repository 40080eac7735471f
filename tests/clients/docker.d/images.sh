#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016 # the container's shell expands them
#
# Images: build by the classic builder and by BuildKit (which starts the program "runc"), commit, save, load.
context=$WORK/context
mkdir -p "$context"
echo copied >"$context/file"
cat >"$context/Dockerfile" <<'DOCKERFILE'
FROM bb AS first
ARG word=none
ENV NAME=value
WORKDIR /srv
COPY file .
RUN echo "$word $(id -u) $(cat file)" >built
RUN test "$(hostname)" && touch /tmp/made
USER app
RUN id -u >/tmp/user
FROM bb
COPY --from=first /srv/built /tmp/user /out/
HEALTHCHECK --interval=1s CMD true
LABEL a=b
ENTRYPOINT ["cat"]
CMD ["/out/built"]
DOCKERFILE
check 'build: classic' 0 'Successfully built' docker build --no-cache --build-arg word=hello -t built "$context"
check 'build: classic: its container' 0 '^hello 0 copied$' docker run --rm built
check 'build: classic: USER' 0 '^1000$' docker run --rm built /out/user
printf 'FROM bb\nRUN echo before; exit 3\n' >"$WORK/fails"
check 'build: RUN fails' '!0' 'returned a non-zero code: 3' sh -c 'docker build --force-rm --no-cache -f - "$WORK/context" <"$WORK/fails"'
printf 'FROM bb\nRUN ["/no/such"]\n' >"$WORK/fails"
check 'build: RUN of an unknown program' '!0' 'no such file or directory' sh -c 'docker build --force-rm --no-cache -f - "$WORK/context" <"$WORK/fails"'
check 'build --network none' 0 'Successfully built' docker build --no-cache --network none -q=false --build-arg word=x -t built2 "$context"
check 'build --memory' 0 'Successfully built' docker build --no-cache --memory 128m --build-arg word=x -t built3 "$context"
check 'build: nothing is left' 0 '^$' docker ps -aq
buildkit() { DOCKER_BUILDKIT=1 docker build --progress plain "$@"; }
check 'build: BuildKit' 0 '' buildkit --no-cache --build-arg word=kit -t kit "$context"
check 'build: BuildKit: its container' 0 '^kit 0 copied$' docker run --rm kit
check 'build: BuildKit: RUN fails' '!0' 'exit code: 3' sh -c 'printf "FROM bb\nRUN exit 3\n" >"$WORK/context/fails"; DOCKER_BUILDKIT=1 docker build --no-cache -f "$WORK/context/fails" "$WORK/context"'
check 'commit' 0 '^sha256:[0-9a-f]{64}$' sh -c 'docker run --name changed bb sh -c "echo new >/new"; docker commit -c "CMD cat /new" changed committed'
check 'commit: its container' 0 '^new$' docker run --rm committed
loaded() { docker save committed -o "$WORK/image.tar" && docker rmi committed >/dev/null && docker load -q -i "$WORK/image.tar" && docker run --rm committed; }
check 'save, rmi, load, run' 0 'new$' loaded
imported() { docker export changed | docker import - flat >/dev/null && docker run --rm flat cat /new; }
check 'export, import, run' 0 '^new$' imported
check 'HEALTHCHECK of the image' 0 '' sh -c 'docker run -d --name hc --entrypoint sleep built 1000 >/dev/null; for i in $(seq 50); do [ "$(docker inspect -f "{{.State.Health.Status}}" hc)" != healthy ] || exit 0; sleep .2; done; exit 1'
