module rouse.dev/fuzz

go 1.19
