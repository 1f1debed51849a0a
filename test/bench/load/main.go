// Open-loop load: posts payments to a URL at a constant rate, each with a correlationId of its own, and prints one line for
// each request. Fortio does the work: its runner keeps the schedule, its fast client sends. Why not Fortio's own command:
// it gives a fresh {uuid} in a body to its first connection only (1.75.3, NewFastClient), and it counts latency from when a
// request was sent. Here each connection has its own options, and a line says when its request was due.
//
//	load URL RATE SECONDS CONNECTIONS     RATE 0 sends as fast as the answers come
//
// Prints "start MICROSECONDS_SINCE_1970", then for each request: when it was due, sent and answered, in µs after the start; how
// late it was sent after it was due and its connection was free, which is this program's own fault; and its status, -1
// without an answer.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"time"

	"fortio.org/fortio/fhttp"
	"fortio.org/fortio/periodic"
	"fortio.org/log"
)

const payload = `{"correlationId":"{uuid}","amount":19.90}`

type request struct {
	sent     time.Time
	answered time.Time
	status   int
}

// connection sends one request at a time.
type connection struct {
	client   fhttp.Fetcher
	requests []request
}

func (c *connection) Run(ctx context.Context, _ periodic.ThreadID) (bool, string) {
	sent := time.Now()
	status, _, _ := c.client.StreamFetch(ctx)
	c.requests = append(c.requests, request{sent, time.Now(), status})
	return true, ""
}

func main() {
	if len(os.Args) != 5 {
		fail("usage: load URL RATE SECONDS CONNECTIONS")
	}
	rate, seconds, count := number(os.Args[2]), number(os.Args[3]), int(number(os.Args[4]))
	log.SetLogLevelQuiet(log.Critical)
	options := periodic.RunnerOptions{NumThreads: count, Uniform: true, Out: io.Discard}
	if rate > 0 {
		options.QPS = rate
		// A whole number for each connection: the runner would leave the rest to the first one.
		options.Exactly = int64(math.Ceil(rate*seconds/float64(count))) * int64(count)
		// None: with one, the runner stretches its schedule a little.
		options.Duration = -1
	} else {
		options.QPS = -1
		options.Duration = duration(seconds)
	}
	runner := periodic.NewPeriodicRunner(&options)
	connections := make([]*connection, count)
	for index := range connections {
		client, err := fhttp.NewFastClient(&fhttp.HTTPOptions{
			URL: os.Args[1], ContentType: "application/json", Payload: []byte(payload), HTTPReqTimeOut: 10 * time.Second, ID: index,
		})
		if err != nil {
			fail(err.Error())
		}
		connections[index] = &connection{client, make([]request, 0, options.Exactly/int64(count))}
		runner.Options().Runners[index] = connections[index]
	}
	result := runner.Run()
	print(result.StartTime, rate/float64(count), connections)
}

func print(start time.Time, ratePerConnection float64, connections []*connection) {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	fmt.Fprintf(out, "start %d\n", start.UnixMicro())
	for index, connection := range connections {
		var free time.Duration
		for number, request := range connection.requests {
			sent, answered := request.sent.Sub(start), request.answered.Sub(start)
			due := sent
			if ratePerConnection > 0 {
				// The runner's own schedule: connections take turns (Uniform), each at its share of the rate.
				turn := float64(number) + float64(index)/float64(len(connections))
				due = duration(turn / ratePerConnection)
			}
			late := sent - max(due, free)
			free = answered
			fmt.Fprintln(out, due.Microseconds(), sent.Microseconds(), answered.Microseconds(), late.Microseconds(), request.status)
		}
	}
}

func number(text string) float64 {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || value < 0 {
		fail(text + " is no number from 0 up")
	}
	return value
}

func duration(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second))
}

func fail(problem string) {
	fmt.Fprintln(os.Stderr, problem)
	os.Exit(2)
}
