package engine_test

import (
	"testing"

	"github.com/ingot-run/ingot/engine"
	"github.com/ingot-run/ingot/engine/enginetest"
)

func TestSuite(t *testing.T) { enginetest.Run(t, engine.Open) }
