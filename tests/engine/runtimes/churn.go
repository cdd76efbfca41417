// Answers the requests of runtimes.py in Go: goroutines on several threads, garbage, a map that the collector walks.
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

type node struct {
	other *node
	load  [64]byte
}

var table = map[string]int{}

func churn(amount int) {
	var group sync.WaitGroup
	for worker := 0; worker < 4; worker++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for round := 0; round < amount; round++ {
				first := &node{}
				first.other = &node{other: first}
				_ = make([]byte, 1+round*97%100_000)
			}
		}()
	}
	group.Wait()
	runtime.GC()
}

func answer(number int, text string) string {
	churn(200)
	digest := make(chan string)
	go func() {
		sum := sha256.Sum256([]byte(text))
		digest <- hex.EncodeToString(sum[:])
	}()
	return fmt.Sprintf("%d %s", table[fmt.Sprint("key ", number)], <-digest)
}

func main() {
	for number := 0; number < 20_000; number++ {
		table[fmt.Sprint("key ", number)] = number * number
	}
	go func() {
		for range time.Tick(5 * time.Millisecond) {
			churn(1)
		}
	}()
	churn(2000)
	os.Stdout.WriteString("ready\n")
	os.Stdin.Read(make([]byte, 1)) // frozen here
	requests, answers := bufio.NewScanner(os.NewFile(3, "requests")), os.NewFile(4, "answers")
	for requests.Scan() {
		var number int
		var text string
		if _, err := fmt.Sscan(requests.Text(), &number, &text); err != nil || number >= 20_000 {
			os.Exit(3)
		}
		fmt.Fprintln(answers, answer(number, text))
	}
}
