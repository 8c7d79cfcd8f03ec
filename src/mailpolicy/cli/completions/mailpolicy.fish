# Completion of mailpolicy for fish.
function __mailpolicy_candidates
    set -l words (commandline -opc)
    # The word under the cursor as it is meant: without its backslashes, and without a quote that is still open.
    set -l typed (commandline -ct)
    set -l current (string unescape -- "$typed"; or string replace -r '^["\']' '' -- "$typed")
    set -l answers ($words[1] completion -- words $words[2..-1] "$current" 2>/dev/null)
    if test "$answers[1]" = :files
        set -l option (string match -r -- '^--[^=]*=' "$current")
        string replace -r '^' -- "$option" (__fish_complete_path (string replace -- "$option" '' "$current"))
    else
        printf '%s\n' $answers
    end
end
complete -c mailpolicy -f -a '(__mailpolicy_candidates)'
