# SPDX-License-Identifier: Apache-2.0
# Completion of brass(1) for fish. What there is, the program itself says.

function __brass_subcommands
	brass help 2>/dev/null | string replace -rf '^  ([a-z]+) +([a-z].*)' '$1\t$2'
end

function __brass_options
	set -l words (commandline -opc)
	test (count $words) -ge 2; or return
	brass $words[2] --help 2>/dev/null | string match -ra -- '--[a-z]+'
end

function __brass_arguments
	set -l words (commandline -opc)
	switch "$words[2]:"(count $words)
		case inspect:2 call:2
			brass ps --quiet --timeout 300 2>/dev/null
		case call:3
			brass call --list 2>/dev/null | string match -r '^[A-Z].*'
	end
end

complete -c brass -n __fish_use_subcommand -f -a '(__brass_subcommands)'
complete -c brass -n __fish_use_subcommand -l version -d 'print the version'
complete -c brass -n 'not __fish_use_subcommand' -a '(__brass_arguments)'
complete -c brass -n 'not __fish_use_subcommand; and string match -q -- "-*" (commandline -ct)' \
	-a '(__brass_options)'
