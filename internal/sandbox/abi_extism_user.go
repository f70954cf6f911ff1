package sandbox

import (
	"context"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// moduleExtismUser is where functions come from that a host adds to Extism's. Here
// they are hyper-mcp's notifications. Its questions to the client (create_message,
// create_elicitation, list_roots) are not offered: a module that imports one is
// refused when it is loaded.
const moduleExtismUser = "extism:host/user"

// exportExtismUser adds the functions of the module "extism:host/user".
func exportExtismUser(b wazero.HostModuleBuilder) {
	for name, run := range map[string]func(c *call, message []byte){
		"notify_progress":        extismNotifyProgress,
		"notify_logging_message": extismNotifyLog,
	} {
		b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, _ api.Module, stack []uint64) {
			c := callOf(ctx)
			c.stopIfOver()
			run(c, c.extismUse().take(stack[0], name, "message"))
		}), extismI64, extismNone).Export(name)
	}
}

// extismNotifyProgress passes on {"progress":…,"total":…,"message":…}.
func extismNotifyProgress(c *call, message []byte) {
	var p struct {
		Progress float64 `json:"progress"`
		Total    float64 `json:"total"`
		Message  string  `json:"message"`
	}
	if err := json.Unmarshal(message, &p); err != nil {
		panic(failf(ErrABI, "notify_progress was given something else than a progress notification: %v", err))
	}
	c.tellProgress(p.Progress, p.Total, []byte(p.Message))
}

// extismNotifyLog logs {"level":…,"data":…}; data that is a string stands as it is.
func extismNotifyLog(c *call, message []byte) {
	var l struct {
		Level string         `json:"level"`
		Data  jsontext.Value `json:"data"`
	}
	if err := json.Unmarshal(message, &l); err != nil {
		panic(failf(ErrABI, "notify_logging_message was given something else than a logging message: %v", err))
	}
	levels := map[string]int32{"debug": levelDebug, "info": levelInfo, "notice": levelInfo, "warning": levelWarn}
	level, ok := levels[l.Level]
	if !ok {
		level = levelError // error, critical, alert, emergency
	}
	text := []byte(l.Data)
	var plain string
	if json.Unmarshal(l.Data, &plain) == nil {
		text = []byte(plain)
	}
	c.log.line(level, text)
}
