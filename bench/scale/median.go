package main

import "github.com/ingot-run/ingot/bench/report"

// medians takes the middle of each figure over the rounds, and then what the model says
// of them.
func medians(rounds []*figures) *figures {
	f := &figures{embedded: medianCost(rounds, func(f *figures) cost { return f.embedded })}
	for _, list := range []func(*figures) *[]point{
		func(f *figures) *[]point { return &f.keys }, func(f *figures) *[]point { return &f.tools },
		func(f *figures) *[]point { return &f.sessions }, func(f *figures) *[]point { return &f.listeners },
	} {
		for i, p := range *list(rounds[0]) {
			at := func(f *figures) point { return (*list(f))[i] }
			*list(f) = append(*list(f), point{
				size: p.size, cost: medianCost(rounds, func(f *figures) cost { return at(f).cost }),
				bytes: median(rounds, func(f *figures) float64 { return at(f).bytes }), extra: median(rounds, func(f *figures) float64 { return at(f).extra }),
			})
		}
	}
	for i, p := range rounds[0].servers {
		c := medianCost(rounds, func(f *figures) cost { return f.servers[i].cost })
		f.servers = append(f.servers, serversPoint{servers: p.servers, cost: c})
		f.servers[i].predicted = predict(f.servers[0].cost, c)
	}
	return f
}

func median(rounds []*figures, of func(*figures) float64) float64 {
	values := make([]float64, len(rounds))
	for i, f := range rounds {
		values[i] = of(f)
	}
	return report.Median(values)
}

func medianCost(rounds []*figures, of func(*figures) cost) cost {
	return cost{
		server:    median(rounds, func(f *figures) float64 { return of(f).server }),
		redis:     median(rounds, func(f *figures) float64 { return of(f).redis }),
		client:    median(rounds, func(f *figures) float64 { return of(f).client }),
		perSecond: median(rounds, func(f *figures) float64 { return of(f).perSecond }),
	}
}
