// goproxy LISTEN UPSTREAM: the proxy of Go's standard library, which is what Knative's activator is made of.
package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
)

func main() {
	upstream, err := url.Parse(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		ErrorLog:  log.New(io.Discard, "", 0),
		Transport: &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(upstream)
			r.SetXForwarded()
			r.Out.Host = r.In.Host
		},
		ModifyResponse: func(r *http.Response) error {
			r.Header.Set("Rouse-Revision", "v1")
			r.Header.Set("Rouse-Cold-Start", "false")
			r.Header.Set("Server-Timing", "queue;dur=0.00, infer;dur=0.00")
			return nil
		},
	}
	log.Fatal(http.ListenAndServe(os.Args[1], proxy))
}
