package engine

import "unsafe"

// rate is what each entry is charged beside its cell, in bytes.
type rate int64

const (
	// ratePlain is an entry's share of the table: slots of 8 bytes, of which there
	// are between 4/3 and 8/3 for an entry while a table grows.
	ratePlain rate = 2 * 8
	// rateEvicting has what eviction keeps too: 13 bytes for each of these slots.
	rateEvicting = ratePlain + 2*13
	// expiryCharge is an item of the wheel, and a quarter for how its slice grows.
	expiryCharge = int64(unsafe.Sizeof(wheelItem{})) * 5 / 4
)

// rate is the rate of the store's entries.
func (s *Store) rate() rate {
	if s.evict {
		return rateEvicting
	}
	return ratePlain
}

// rate is the rate of the shard's entries.
func (sh *shard) rate() rate {
	if sh.queues != nil {
		return rateEvicting
	}
	return ratePlain
}

// charge is what an entry costs against a budget, in bytes: its whole cell and
// what stands for it elsewhere.
func (r rate) charge(keyLen, valueLen int, expires bool) int64 {
	_, words := classOf(cellBytes(keyLen, valueLen, expires))
	bytes := int64(words)*8 + int64(r)
	if expires {
		bytes += expiryCharge
	}
	return bytes
}

// of is what an entry that is there is charged.
func (r rate) of(key string, e *entry) int64 {
	return r.charge(len(key), len(e.value), e.ExpiresAt != 0)
}

// chargeDelta is by how many bytes the outcome changes what is charged.
func (o *outcome) chargeDelta(r rate, key string, cur *entry) (delta int64) {
	n, found := len(o.value), cur.Found()
	if o.sameValue {
		n = len(cur.value)
	}
	if o.put && found && n == len(cur.value) && (o.expiresAt != 0) == (cur.ExpiresAt != 0) {
		return 0
	}
	if found && (o.put || o.remove) {
		delta -= r.of(key, cur)
	}
	if o.put {
		delta += r.charge(len(key), n, o.expiresAt != 0)
	}
	return delta
}

// budgetChange is the outcome as the budget sees it.
func (o *outcome) budgetChange(r rate, key string, cur *entry) budgetChange {
	c := budgetChange{key: key, delta: o.chargeDelta(r, key, cur)}
	c.after = c.delta
	if cur.Found() {
		c.after += r.of(key, cur)
	}
	return c
}
