// Package health says whether a server lives and whether it is ready for requests, to
// load balancers, to Kubernetes and to people.
//
// [Checks] are what has to be well for the server to be of use. [Checks.Handlers] has
// them served: /healthz answers as long as the process does; /readyz answers 200 while
// every check passes and the server is not draining, and 503 otherwise.
//
//	var checks health.Checks
//	checks.Add("state", store.Health)
//	for path, h := range checks.Handlers(authenticated) {
//		http.Handle(path, h)
//	}
//	checks.Drain() // at SIGTERM: /readyz says 503 from here on
//
// # Caveats
//
// Whoever can connect may ask, since a load balancer has no token: strangers hear "ok" or
// "unavailable", and those whom the server knows hear which check failed, and why.
//
// The checks run when somebody asks, all at once, each for two seconds at most. Who asks
// within a second of the last answer hears it again: a stranger who asks often does not
// have the state asked as often. Draining is told at once.
package health
