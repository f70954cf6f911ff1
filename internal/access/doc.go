// Package access says what a caller may do: which tools, resources and prompts it has,
// which keys of the state it reads and writes, and how much of it all.
//
// The main types are [Rules], what the block access: of a file says; [Policy], the rules
// made ready to be asked; and [Keeper], the guard of a server, which asks the policy in
// force and has the audit log record what became of each request.
//
//	policy, err := access.Compile(access.Rules{Roles: []access.Role{{
//		Name: "reader", Principals: []string{"token:ci"}, Tools: []string{"state_get", "state_list"},
//		State: []access.StateRule{{Prefix: "shared/", Right: access.Read}},
//	}}})
//	…
//	keeper := access.NewKeeper(policy, nil)
//	server.SetGuard(keeper)
//
// Everything is denied that no role of the caller allows. A caller has all roles whose
// principals or scopes name it, and what any of them allows; one that has none has the
// default role, if there is one.
//
// A pattern is a text in which * stands for any run of characters but the slash, and **
// for any run. For keys of the state the longest prefix of a role decides, so that a role
// may except a part of what it grants, and the most generous role of a caller counts. The
// text ${principal} in a prefix or a pattern of resources stands for the caller's name,
// escaped so that no caller's space is another's.
//
// # Caveats
//
//   - A tool of a forge.yaml, a prompt and a resource act with the rights of the file:
//     what is asked is whether the caller may use it. Rules for keys hold for the tools
//     state_*, for resources state:///, and for tools with state: {rights: caller}.
//   - Names of templates are shown to who may read some resource that begins as the
//     template does.
//   - Quotas are counted in this process, per caller, and begin anew when the rules
//     change.
package access
