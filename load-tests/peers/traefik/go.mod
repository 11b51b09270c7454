module rouse.dev/load-tests/traefik

go 1.26

require github.com/traefik/traefik/v3 v3.6.12

// Traefik's own replacements, which a module that requires it does not inherit.
replace (
	github.com/abbot/go-http-auth => github.com/containous/go-http-auth v0.4.1-0.20200324110947-a37a7636d23e
	github.com/gorilla/mux => github.com/containous/mux v0.0.0-20250523120546-41b6ec3aed59
)
