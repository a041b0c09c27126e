# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Completion of zonerelayctl(8) for bash.  Names of zones and downstreams come from zonerelayctl
# itself, with the -c, -d and -s of the line; with more than some thousand zones only those are
# offered that it lists first.

_zonerelayctl_commands='status zones zone transfers downstreams refresh retransfer notify
	send-notify export verify reload stop version'
_zonerelayctl_options='--config --database --socket --json --help --version'

# _zonerelayctl_names COMMAND...: the "name" of each object of a list in JSON
_zonerelayctl_names() {
	"${COMP_WORDS[0]}" "${_zonerelayctl_given[@]}" --json "$@" 2>/dev/null |
		sed -n 's/.*"name": *"\([^"\\]*\)".*/\1/p'
}

_zonerelayctl_reply() {
	mapfile -t COMPREPLY < <(compgen "$@" -- "$_zonerelayctl_word")
}

# The options of a command, and what its operands are: "zone", "downstream", "file" or nothing.
_zonerelayctl_operand() {
	local command=$1 number=$2

	case $command:$number in
	zone:1 | transfers:1 | refresh:1 | retransfer:1 | notify:1 | export:1 | send-notify:1 | verify:*)
		_zonerelayctl_reply -W "$(_zonerelayctl_names zones --limit 5000)"
		;;
	notify:2) _zonerelayctl_reply -W "$(_zonerelayctl_names downstreams)" ;;
	export:2)
		compopt -o filenames
		_zonerelayctl_reply -f
		;;
	esac
}

_zonerelayctl_option() {
	local options=$_zonerelayctl_options

	case $1 in
	zones) options+=' --state --limit' ;;
	zone) options+=' --check' ;;
	transfers) options+=' --limit' ;;
	refresh) options+=' --all --wait --timeout' ;;
	retransfer) options+=' --wait --timeout' ;;
	notify) options+=' --axfr --wait --timeout' ;;
	send-notify) options+=' --type --serial --key --key-file --tcp --source --timeout --tries' ;;
	esac
	_zonerelayctl_reply -W "$options"
}

_zonerelayctl() {
	local _zonerelayctl_word=${COMP_WORDS[COMP_CWORD]} command='' number=0 i word
	local -a _zonerelayctl_given=()

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		-c | --config | -d | --database | -s | --socket)
			_zonerelayctl_given+=("$word" "${COMP_WORDS[++i]}")
			;;
		-n | --limit | -t | --timeout | --state | --type | --serial | --key | --key-file | --source | --tries)
			((i++))
			;;
		-*) ;;
		*)
			if [[ -z $command ]]; then
				command=$word
			else
				((number++))
			fi
			;;
		esac
	done
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	-c | --config | -d | --database | -s | --socket | --key-file)
		compopt -o filenames
		_zonerelayctl_reply -f
		return
		;;
	--state)
		_zonerelayctl_reply -W 'current behind failing expired never'
		return
		;;
	--type)
		_zonerelayctl_reply -W 'soa axfr'
		return
		;;
	-n | --limit | -t | --timeout | --serial | --key | --source | --tries) return ;;
	esac
	if [[ $_zonerelayctl_word == -* ]]; then
		_zonerelayctl_option "$command"
	elif [[ -z $command ]]; then
		_zonerelayctl_reply -W "$_zonerelayctl_commands"
	else
		_zonerelayctl_operand "$command" $((number + 1))
	fi
}

complete -F _zonerelayctl zonerelayctl
