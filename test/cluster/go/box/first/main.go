// The first process of the box, and of every pod: it sleeps, and collects the children that others left behind.
//
// With the argument "gate" it says its pid on standard output, as the machine sees it, and goes on only when it
// reads a byte from standard input. So a box lives only after it was written down who it is.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "gate" {
		passGate()
	}
	signals := make(chan os.Signal, 64)
	signal.Notify(signals, syscall.SIGCHLD, syscall.SIGTERM, syscall.SIGINT)
	for received := range signals {
		if received != syscall.SIGCHLD {
			os.Exit(0)
		}
		collect()
	}
}

func passGate() {
	// This /proc is still the machine's: the box has mounted none of its own yet.
	pid, err := os.Readlink("/proc/self")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(pid)
	if n, _ := os.Stdin.Read(make([]byte, 1)); n != 1 {
		os.Exit(1)
	}
}

func collect() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if err != nil || pid <= 0 {
			return
		}
	}
}
