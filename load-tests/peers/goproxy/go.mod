module rouse.dev/load-tests/goproxy

go 1.26
