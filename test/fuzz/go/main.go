// Reads HTTP/1.1 as Go's net/http does and says what it found, so that another parser can be compared with it.
//
// Input: frames of a kind ('Q': requests, 'S': responses), a method (of the request that a response answers; one
// byte for its length before it), a length of four bytes and so many bytes. Output: for each frame a length of four
// bytes and a text: the messages one after the other, and `! reason` where reading ended before the bytes did.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"os"
	"sort"
	"strings"
)

var notCompared = map[string]bool{}

func init() {
	names := "host content-length transfer-encoding connection upgrade trailer x-forwarded-proto x-forwarded-host " +
		"traceparent tracestate date rouse-revision rouse-cold-start server-timing"
	for _, name := range strings.Fields(names) {
		notCompared[name] = true
	}
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	for {
		kind, err := in.ReadByte()
		if err != nil {
			return
		}
		method := string(read(in, int(read(in, 1)[0])))
		payload := read(in, int(binary.BigEndian.Uint32(read(in, 4))))
		var text bytes.Buffer
		if kind == 'Q' {
			readRequests(payload, &text)
		} else {
			readResponses(payload, method, &text)
		}
		var size [4]byte
		binary.BigEndian.PutUint32(size[:], uint32(text.Len()))
		out.Write(size[:])
		out.Write(text.Bytes())
		if in.Buffered() == 0 {
			out.Flush()
		}
	}
}

func read(in io.Reader, length int) []byte {
	bytes := make([]byte, length)
	if _, err := io.ReadFull(in, bytes); err != nil {
		os.Exit(0)
	}
	return bytes
}

func readRequests(payload []byte, text *bytes.Buffer) {
	in := bufio.NewReader(bytes.NewReader(payload))
	for {
		if _, err := in.Peek(1); err != nil {
			return
		}
		request, err := http.ReadRequest(in)
		if err != nil {
			fmt.Fprintf(text, "! %q\n", err.Error())
			return
		}
		length, sum, err := readBody(request.Body)
		if err != nil {
			fmt.Fprintf(text, "! %q\n", err.Error())
			return
		}
		fmt.Fprintf(text, "%s %s\n%s\n", request.Method, request.RequestURI, request.Host)
		writeFields(text, request.Header)
		fmt.Fprintf(text, "%d %d\n", length, sum)
		writeFields(text, request.Trailer)
		text.WriteByte('\n')
	}
}

func readResponses(payload []byte, method string, text *bytes.Buffer) {
	in := bufio.NewReader(bytes.NewReader(payload))
	for {
		if _, err := in.Peek(1); err != nil {
			return
		}
		response, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			fmt.Fprintf(text, "! %q\n", err.Error())
			return
		}
		length, sum, err := readBody(response.Body)
		if err != nil {
			fmt.Fprintf(text, "! %q\n", err.Error())
			return
		}
		if response.StatusCode < 200 && response.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		fmt.Fprintf(text, "%d\n\n", response.StatusCode)
		writeFields(text, response.Header)
		fmt.Fprintf(text, "%d %d\n", length, sum)
		writeFields(text, response.Trailer)
		text.WriteByte('\n')
	}
}

func readBody(body io.ReadCloser) (int64, uint32, error) {
	defer body.Close()
	sum := crc32.NewIEEE()
	length, err := io.Copy(sum, body)
	return length, sum.Sum32(), err
}

func writeFields(text *bytes.Buffer, header http.Header) {
	lines := make([]string, 0, len(header))
	for name, values := range header {
		lower := strings.ToLower(name)
		if !notCompared[lower] {
			lines = append(lines, lower+": "+strings.Join(values, "\x00")+"\n")
		}
	}
	sort.Strings(lines)
	for _, line := range lines {
		text.WriteString(line)
	}
	text.WriteByte('\n')
}
