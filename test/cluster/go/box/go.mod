module rouse.test/cluster/box

go 1.24
