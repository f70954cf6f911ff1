package sandbox

import "errors"

// classOf is the class of a call's error, as in Stats.Errors; empty for none.
func classOf(err error) string {
	if err == nil {
		return ""
	}
	if _, ok := errors.AsType[*GuestError](err); ok {
		return classGuest
	}
	for _, class := range classes {
		if errors.Is(err, class) {
			return class.Error()
		}
	}
	return "other"
}
