module rouse.dev/load-tests/caddy

go 1.26

require github.com/caddyserver/caddy/v2 v2.11.9
