module rouse.dev/load-tests/vegeta

go 1.26

require github.com/tsenart/vegeta/v12 v12.12.0
