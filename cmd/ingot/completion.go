package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/ingot-run/ingot/forge/config"
	"github.com/ingot-run/ingot/internal/command"
)

// completeWord is the command that the scripts of a shell call: behind it stand the words
// of the line up to the one that is being written, which may be empty. It prints a
// candidate a line, with a tab and a description behind some; the line filesWord alone
// says that the name of a file belongs there.
const (
	completeWord = "__complete"
	filesWord    = "\tfiles"
)

// completionCommand is "ingot completion".
type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"The shell: bash, zsh or fish."`
}

// Help ends "ingot completion --help".
func (*completionCommand) Help() string {
	return `Prints a script that completes commands, flags, and for "ingot call" the tools and arguments of the forge.yaml in this folder.

Examples:

  ingot completion bash > ~/.local/share/bash-completion/completions/ingot
  ingot completion zsh > "${fpath[1]}/_ingot"
  ingot completion fish > ~/.config/fish/completions/ingot.fish`
}

// Run prints the script of a shell.
func (c *completionCommand) Run(out streams) error {
	_, err := io.WriteString(out.stdout, map[string]string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}[c.Shell])
	return err
}

// bash splits words at = and : where a command line does not: they are put together
// again, and of what is answered the part is taken away that stands before the last one.
// Values are quoted: one with a blank, or that the shell would run, is one word all the same.
const bashScript = `# completion of ingot for bash
_ingot() {
	local words=() word i glue=
	for ((i = 1; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ ${#words[@]} -gt 0 && ( -n $glue || $word == [=:]* ) ]]; then
			words[${#words[@]}-1]+=$word
		else
			words+=("$word")
		fi
		glue=
		[[ $word == *[=:] && $i -lt $COMP_CWORD ]] && glue=1
	done
	local current=${words[${#words[@]}-1]} before= line
	[[ $current == *[=:]* ]] && before=${current%"${current##*[=:]}"}
	COMPREPLY=()
	while IFS= read -r line; do
		if [[ $line == $'\tfiles' ]]; then
			compopt -o filenames 2>/dev/null
			while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "${current#"$before"}")
			continue
		fi
		line=${line%%$'\t'*}
		[[ $line == *= ]] && compopt -o nospace 2>/dev/null
		printf -v line %q "${line#"$before"}"
		COMPREPLY+=("$line")
	done < <("${COMP_WORDS[0]}" __complete "${words[@]}" 2>/dev/null)
}
complete -F _ingot ingot
`

const zshScript = `#compdef ingot
_ingot() {
	local line name
	local -a plain open
	for line in "${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
		[[ -z $line ]] && continue
		if [[ $line == $'\tfiles' ]]; then
			_files
			continue
		fi
		name=${line%%$'\t'*}
		if [[ $name == *= ]]; then open+=("$name"); else plain+=("$name"); fi
	done
	(( ${#plain} )) && compadd -- "${plain[@]}"
	(( ${#open} )) && compadd -S '' -- "${open[@]}"
	return 0
}
if [[ ${funcstack[1]} == _ingot ]]; then _ingot "$@"; else compdef _ingot ingot; fi
`

const fishScript = `# completion of ingot for fish
function __ingot_complete
	set -l words (commandline -opc) (commandline -ct)
	for line in ($words[1] __complete $words[2..-1] 2>/dev/null)
		if test "$line" = (printf '\tfiles')
			__fish_complete_path (commandline -ct)
		else
			printf '%s\n' $line
		end
	end
end
complete -c ingot -f -a '(__ingot_complete)'
`

// complete prints the candidates for the last one of words. What cannot be known has
// none: a shell has nowhere to show an error.
func complete(words []string, stdout io.Writer) int {
	if len(words) == 0 {
		words = []string{""}
	}
	parser, err := kong.New(&commands{}, kong.Exit(func(int) {}), kong.BindTo(context.Background(), (*context.Context)(nil)))
	if err != nil {
		return command.ExitFailure
	}
	l := readLineSoFar(parser.Model.Node, words[:len(words)-1])
	last := words[len(words)-1]
	for _, c := range l.candidates(last) {
		name, about, _ := strings.Cut(c, "\t")
		switch {
		case c == filesWord:
			fmt.Fprintln(stdout, c)
		case !strings.HasPrefix(name, last) || command.PlainLine(name) != name:
			// not meant, or no word of a line
		case about == "":
			fmt.Fprintln(stdout, name)
		default:
			fmt.Fprintf(stdout, "%s\t%s\n", name, command.PlainLine(about))
		}
	}
	return command.ExitOK
}

// lineSoFar is what stands before the word that is being written.
type lineSoFar struct {
	node        *kong.Node
	pending     *kong.Flag // it waits for its value
	positionals []string
	flags       map[string]string // with their values
	plain       bool              // behind --
}

func readLineSoFar(root *kong.Node, words []string) *lineSoFar {
	l := &lineSoFar{node: root, flags: map[string]string{}}
	for _, w := range words {
		switch {
		case l.pending != nil:
			l.flags[l.pending.Name] = w
			l.pending = nil
		case w == "--" && !l.plain:
			l.plain = true
		case strings.HasPrefix(w, "-") && len(w) > 1 && !l.plain:
			name, value, given := strings.Cut(w, "=")
			f := l.flag(name)
			if f == nil || f.IsBool() || f.IsCounter() || given {
				l.flags[strings.TrimLeft(name, "-")] = value
			} else {
				l.pending = f
			}
		default:
			if below := l.child(w); below != nil {
				l.node = below
			} else {
				l.positionals = append(l.positionals, w)
			}
		}
	}
	return l
}

// flag finds a flag as it is written.
func (l *lineSoFar) flag(written string) *kong.Flag {
	for _, group := range l.node.AllFlags(true) {
		for _, f := range group {
			if written == "--"+f.Name || f.Short != 0 && written == "-"+string(f.Short) {
				return f
			}
		}
	}
	return nil
}

func (l *lineSoFar) child(name string) *kong.Node {
	for _, below := range l.node.Children {
		if below.Type == kong.CommandNode && below.Name == name {
			return below
		}
	}
	return nil
}

// candidates are what may stand next, whatever it begins with.
func (l *lineSoFar) candidates(last string) (all []string) {
	name, _, given := strings.Cut(last, "=")
	switch {
	case l.pending != nil:
		return valuesOf(l.pending.Value, l.pending.PlaceHolder, "")
	case strings.HasPrefix(last, "--") && given && !l.plain:
		if f := l.flag(name); f != nil {
			return valuesOf(f.Value, f.PlaceHolder, name+"=")
		}
		return nil
	case strings.HasPrefix(last, "-") && !l.plain:
		for _, group := range l.node.AllFlags(true) {
			for _, f := range group {
				all = append(all, "--"+f.Name+"\t"+firstLine(f.Help))
			}
		}
		return all
	}
	for _, below := range l.node.Children {
		if below.Type == kong.CommandNode && !below.Hidden {
			all = append(all, below.Name+"\t"+firstLine(below.Help))
		}
	}
	if len(all) > 0 {
		return all
	}
	if _, ok := l.node.Target.Addr().Interface().(*callCommand); ok {
		return l.toolWords(last)
	}
	n := len(l.positionals)
	if args := l.node.Positional; len(args) > 0 && (n < len(args) || args[len(args)-1].IsSlice()) {
		arg := args[min(n, len(args)-1)]
		return valuesOf(arg, strings.ToUpper(arg.Name), "")
	}
	return nil
}

// firstLine is a help as the description of a candidate.
func firstLine(help string) string {
	text, _, _ := strings.Cut(help, "\n")
	text, _, _ = strings.Cut(text, ". ")
	return strings.TrimSuffix(text, ".")
}

// valuesOf are the values of a flag or an argument: those of its enum, or files.
func valuesOf(v *kong.Value, placeholder, before string) (all []string) {
	if v.Enum != "" {
		for _, word := range v.EnumSlice() {
			if word != "" {
				all = append(all, before+word)
			}
		}
		return all
	}
	kind := ""
	if v.Tag != nil {
		kind = v.Tag.Type
	}
	if slices.Contains([]string{"path", "existingfile", "existingdir", "file"}, kind) || strings.Contains(placeholder, "FILE") || strings.Contains(placeholder, "DIR") || strings.Contains(placeholder, "WASM") {
		return []string{filesWord}
	}
	return nil
}

// toolWords are the tools of the file that "ingot call" would open, and behind one the
// arguments that it has no value for yet.
func (l *lineSoFar) toolWords(last string) (all []string) {
	if l.flags["url"] != "" {
		return nil // no network for a completion
	}
	file, err := configFile(l.flags["config"])
	if err != nil {
		return nil
	}
	c, err := config.Load(file, config.Options{})
	if err != nil {
		return nil
	}
	if len(l.positionals) == 0 {
		for i := range c.Tools {
			if t := &c.Tools[i]; !t.Hidden && t.Name != "" {
				all = append(all, t.Name+"\t"+firstLine(t.Description))
			}
		}
		return all
	}
	t := c.Tool(l.positionals[0])
	if t == nil {
		return nil
	}
	given := map[string]bool{}
	for _, pair := range l.positionals[1:] {
		name, _, _ := strings.Cut(pair, "=")
		given[name] = true
	}
	name, _, valued := strings.Cut(last, "=")
	for i := range t.Params {
		p := &t.Params[i]
		switch {
		case valued && p.Name == name:
			return valuesOfParam(p)
		case !valued && (!given[p.Name] || p.Type == "array"):
			all = append(all, p.Name+"=\t"+firstLine(p.Description))
		}
	}
	return all
}

// valuesOfParam are the values that a parameter has by its enum or its type.
func valuesOfParam(p *config.Param) (all []string) {
	if p.Type == "boolean" {
		return []string{p.Name + "=true", p.Name + "=false"}
	}
	for _, v := range p.Enum {
		var text string
		if json.Unmarshal(v, &text) != nil {
			text = string(v)
		}
		all = append(all, p.Name+"="+text)
	}
	return all
}
