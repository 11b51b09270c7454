module rouse.dev/load-tests/traefik

go 1.26

require github.com/traefik/traefik/v3 v3.7.13
