#compdef brass
# SPDX-License-Identifier: Apache-2.0
# Completion of brass(1) for zsh. What there is, the program itself says.

_brass() {
	local brass=$words[1] sub=$words[2]
	local -a found
	if (( CURRENT == 2 )); then
		found=(${(f)"$($brass help 2>/dev/null |
			sed -n 's/^  \([a-z][a-z]*\)  *\([a-z].*\)/\1:\2/p')"})
		_describe subcommand found
	elif [[ $words[CURRENT] == -* ]]; then
		found=(${(f)"$($brass $sub --help 2>/dev/null | grep -oE -- '--[a-z]+')"})
		compadd -a found
	elif [[ $words[CURRENT-1] == (-a|--as) ]]; then
		if [[ $sub == explain ]]; then
			compadd create exec update mounts
		else
			compadd config process resources features state
		fi
	elif [[ $sub == (inspect|call) ]] && (( CURRENT == 3 )); then
		found=(${(f)"$($brass ps --quiet --timeout 300 2>/dev/null)"})
		compadd -a found
		_files
	elif [[ $sub == call ]] && (( CURRENT == 4 )); then
		found=(${(f)"$($brass call --list 2>/dev/null | grep -E '^[A-Z]')"})
		compadd -a found
	else
		_files
	fi
}

_brass "$@"
