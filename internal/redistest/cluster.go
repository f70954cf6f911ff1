package redistest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// slotCount is how many slots a cluster shares out.
const slotCount = 16384

// Nodes are the servers of a cluster: first the masters, then their replicas.
type Nodes struct {
	Servers []*Server

	t testing.TB
}

// Cluster starts a cluster of so many masters (at least 3), with so many replicas for
// each, and waits until it serves all slots and every replica follows its master. A
// master that is silent for five seconds is replaced: a busy machine may stop one for
// two. What a node wrote survives its kill, and not that of the machine.
func Cluster(t testing.TB, masters, replicasEach int, options ...string) *Nodes {
	t.Helper()
	c := &Nodes{t: t}
	for range masters * (1 + replicasEach) {
		c.Servers = append(c.Servers, startNode(t, options))
	}
	ids := make([]string, len(c.Servers))
	for i, s := range c.Servers {
		ids[i] = s.Text("CLUSTER", "MYID")
		s.Text("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
	}
	for i, s := range c.Servers[:masters] {
		s.Text("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*slotCount/masters), strconv.Itoa((i+1)*slotCount/masters-1))
	}
	first := c.Servers[0]
	for _, s := range c.Servers[1:] {
		s.Text("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(first.Port), strconv.Itoa(busPort(first.Port)))
	}
	c.await("the nodes know each other", func() bool {
		for _, s := range c.Servers {
			if !strings.Contains(s.Text("CLUSTER", "INFO"), fmt.Sprintf("cluster_known_nodes:%d\r\n", len(c.Servers))) {
				return false
			}
		}
		return true
	})
	for i, s := range c.Servers[masters:] {
		c.await("a replica accepts its master", func() bool {
			_, err := s.Do("CLUSTER", "REPLICATE", ids[i%masters])
			return err == nil
		})
	}
	c.AwaitHealthy()
	return c
}

// startNode starts a server that can be part of a cluster.
func startNode(t testing.TB, options []string) *Server {
	t.Helper()
	return start(t, append([]string{
		"--cluster-enabled", "yes", "--cluster-node-timeout", "5000", "--appendonly", "yes", "--appendfsync", "no",
		"--repl-diskless-sync-delay", "0", "--cluster-allow-replica-migration", "no",
	}, options...))
}

// AwaitHealthy waits until all nodes are up and agree that every slot is served and by
// which, and every replica follows its master.
func (c *Nodes) AwaitHealthy() {
	c.t.Helper()
	c.await("the cluster serves all slots", func() bool {
		var first string
		for i, s := range c.Servers {
			info, err := s.Do("CLUSTER", "INFO")
			if err != nil || !strings.Contains(fmt.Sprint(info), "cluster_state:ok") {
				return false
			}
			nodes, err := s.Do("CLUSTER", "NODES")
			if err != nil || strings.Contains(fmt.Sprint(nodes), "fail") || strings.Contains(fmt.Sprint(nodes), "handshake") {
				return false
			}
			if i == 0 {
				first = owners(fmt.Sprint(nodes))
			}
			if owners(fmt.Sprint(nodes)) != first {
				return false
			}
			replication, err := s.Do("INFO", "replication")
			text := fmt.Sprint(replication)
			if err != nil || strings.Contains(text, "role:slave") && !strings.Contains(text, "master_link_status:up") {
				return false
			}
		}
		return true
	})
}

// owners says which node has which slots, from what a node answers to CLUSTER NODES.
func owners(nodes string) string {
	var all []string
	for line := range strings.Lines(nodes) {
		if fields := strings.Fields(line); len(fields) > 8 { // id, address, flags, ..., slots
			all = append(all, fields[0]+" "+strings.Join(fields[8:], " "))
		}
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// Masters are the nodes that are masters now, as the first that answers sees it.
func (c *Nodes) Masters() (masters []*Server) {
	c.t.Helper()
	for _, s := range c.Servers {
		role, err := s.Do("ROLE")
		if all, ok := role.([]any); err == nil && ok && len(all) > 0 && all[0] == "master" {
			masters = append(masters, s)
		}
	}
	return masters
}

// URL names all nodes for the state backend.
func (c *Nodes) URL() string {
	addresses := make([]string, len(c.Servers))
	for i, s := range c.Servers {
		addresses[i] = s.Address
	}
	return "redis+cluster://" + strings.Join(addresses, ",")
}

// await waits until a condition holds.
func (c *Nodes) await(what string, holds func() bool) {
	c.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		if time.Now().After(deadline) {
			c.t.Fatalf("waited %v in vain until %s", patience, what)
		}
		pause()
	}
}
