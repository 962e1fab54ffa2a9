// The host that measures Go's own plugin package. Usage: host PLUGIN SYMBOL; prints nanoseconds, one measurement a line.
package main

import (
	"fmt"
	"os"
	"plugin"
	"time"
)

const loops = 200000

func perCall(count int, work func()) float64 {
	start := time.Now()
	for i := 0; i < count; i++ {
		work()
	}
	return float64(time.Since(start).Nanoseconds()) / float64(count)
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	path, name := os.Args[1], os.Args[2]
	start := time.Now()
	p, err := plugin.Open(path)
	fmt.Println("open", float64(time.Since(start).Nanoseconds()))
	must(err)
	symbol, err := p.Lookup(name)
	must(err)
	f := symbol.(func(int64, int64) int64)
	fmt.Println("reopen", perCall(loops/100, func() { plugin.Open(path) }))
	fmt.Println("lookup", perCall(loops, func() { p.Lookup(name) }))
	total := int64(0)
	fmt.Println("call", perCall(loops*10, func() { total = f(total, 1) }))
}
