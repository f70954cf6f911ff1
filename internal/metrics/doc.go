// Package metrics counts what a server's tools do, and tells of it over HTTP: to
// Prometheus, and as a JSON document to people and programs.
//
// A [Registry] has a [Tool] for each tool; [Tool.Wrap] stands around its handler. What
// else there is to tell (middleware, state, modules) is asked of [Sources] when
// somebody looks.
//
//	r := metrics.New(metrics.Sources{Server: func() metrics.Server { return metrics.Server{Name: "demo"} }}, nil)
//	echo := r.Tool("echo", "native")
//	handler = echo.Wrap(handler)
//	r.Show([]*metrics.Tool{echo})
//	http.Handle("/metrics", r.Metrics()) // the text format of Prometheus
//	http.Handle("/status", r.StatusHandler())
//
// # Caveats
//
// A call costs three atomic additions and two readings of the clock, and takes no lock.
// So a reading is not of one moment: the calls of a histogram and their sum of seconds
// may be a call apart.
//
// The texts of errors are in neither: they may hold what a caller sent, and whoever
// may look is not always that caller. Whoever serves these handlers puts a guard in
// front of them.
package metrics
