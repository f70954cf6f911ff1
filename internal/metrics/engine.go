package metrics

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/storage"
	"github.com/ingot-run/ingot/engine/storage/timed"
)

// Engine is the store of this process, below a state, and the directory that it is in.
type Engine struct {
	Stats engine.Stats
	Log   engine.LogStats
	Dir   storage.Dir // nil, or no *timed.Dir: how long syncs take is not known
}

var (
	descBuild = desc("build_info", "What was built; always 1.", "version", "go_version")

	descStateUp = desc("state_up", "1 while the state answers, 0 while it does not.")

	descDenied = desc("access_denied_total", "Requests that access rules or quotas refused.")

	descSets      = desc("engine_writes_total", "Entries that were written to the embedded store.")
	descDeletes   = desc("engine_deletes_total", "Entries that were deleted from the embedded store.")
	descExpired   = desc("engine_expired_total", "Entries that were removed because their time was over.")
	descEvicted   = desc("engine_evicted_total", "Entries that were removed to make room.")
	descConflicts = desc("engine_conflicts_total", "Writes whose precondition did not hold.")
	descResident  = desc("engine_resident_bytes", "Memory of the embedded store's entries and tables.")
	descOrder     = desc("engine_order_bytes", "Memory of the sorted copy of the keys; 0 until the first list.")

	descLogDegraded    = desc("log_degraded", "1 while the store refuses writes because its disk is full or failed.")
	descLogSyncs       = desc("log_syncs_total", "Syncs of the log. The writes by them are the mean size of a group.")
	descLogSyncSeconds = desc("log_sync_duration_seconds", "How long the disk took for a sync of a file.")
	descLogWritten     = desc("log_written_bytes_total", "Bytes that were written to files, compactions included.")
	descLogCompactions = desc("log_compactions_total", "Compactions of the log.")
	descLogSegments    = desc("log_segments", "Segments of the log that are not compacted yet.")
	descLogBytes       = desc("log_bytes", "Bytes of the log that are not compacted yet.")
	descLogSnapshot    = desc("log_snapshot_bytes", "Size of the snapshot; 0 without one.")
	descLogPending     = desc("log_pending_bytes", "Changes that wait in memory for the log.")
	descLogRecovered   = desc("log_recovered_records", "Changes that were read from the log at the start.")
	descLogTorn        = desc("log_recovered_torn_bytes", "What a crash had left of changes nobody was told of, cut off at the start.")

	engineDescriptions = []*prometheus.Desc{
		descBuild, descStateUp, descSets, descDeletes, descExpired, descEvicted, descConflicts, descResident, descOrder,
		descLogDegraded, descLogSyncs, descLogSyncSeconds, descLogWritten, descLogCompactions, descLogSegments, descLogBytes,
		descLogSnapshot, descLogPending, descLogRecovered, descLogTorn,
	}
)

func (s sink) build(version string) { s.gauge(descBuild, 1, label(version), runtime.Version()) }

func (s sink) engine(e Engine) {
	t := e.Stats
	s.count(descSets, uint64(t.Sets))
	s.count(descDeletes, uint64(t.Deletes))
	s.count(descExpired, uint64(t.Expired))
	s.count(descEvicted, uint64(t.Evicted))
	s.count(descConflicts, uint64(t.Conflicts))
	s.gauge(descResident, float64(t.ResidentBytes))
	s.gauge(descOrder, float64(t.OrderBytes))
	l := e.Log
	if l.Dir == "" {
		return // in memory: there is no log
	}
	s.gauge(descLogDegraded, number(l.Degraded != nil))
	s.count(descLogSyncs, uint64(l.Syncs))
	s.count(descLogWritten, uint64(l.WrittenBytes))
	s.count(descLogCompactions, uint64(l.Compactions))
	s.gauge(descLogSegments, float64(l.Segments))
	s.gauge(descLogBytes, float64(l.LogBytes))
	s.gauge(descLogSnapshot, float64(l.SnapshotBytes))
	s.gauge(descLogPending, float64(l.PendingBytes))
	s.gauge(descLogRecovered, float64(l.Recovered.Records))
	s.gauge(descLogTorn, float64(l.Recovered.TornBytes))
	if dir, ok := e.Dir.(*timed.Dir); ok && dir != nil {
		s.syncs(dir.Syncs())
	}
}

func (s sink) syncs(read timed.Syncs) {
	buckets, sum := make(map[float64]uint64, len(timed.Bounds)), uint64(0)
	for i, bound := range timed.Bounds {
		sum += read.Buckets[i]
		buckets[bound.Seconds()] = sum
	}
	m, err := prometheus.NewConstHistogram(descLogSyncSeconds, read.Count, read.Seconds, buckets)
	if err != nil {
		m = prometheus.NewInvalidMetric(descLogSyncSeconds, err)
	}
	s <- m
}
