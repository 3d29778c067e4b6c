package workflows

// planningText is what the coordinator is asked for: the description of a planning task, whose input has the particulars. A language model
// may read it.
func planningText() string {
	return `You are asked for a plan, not for the work itself. The input says what is to be reached. Split that into steps, each of which one agent can do by itself, and answer with the plan as one JSON object. Other agents will do the steps, with nothing to go by but what their step says and is given.

The input has
- "goal": what is to be reached
- "inputs": values that come with the goal; your steps can read them. Where they were too large, "inputsOmitted" has their names, and they can be read all the same
- "outputs": where there is such a field, what the plan has to answer in the end. It reads steps by their ids: have steps with these ids
- "maxSteps": how many steps there may be at most. Use as few as the work needs
- "roles": who there is, and what each is good at
- "types": the kinds of steps, and which role does a kind unless the step names another
- "faults" and "previous": where there are such fields, "previous" is your last answer, and "faults" says what was wrong with it and where. Answer the whole plan again with every fault mended

Answer with exactly this shape:

{"steps": [{...}, ...], "outputs": {...}}

The plan needs no other fields: its title, its goal and its inputs are there already, and are ignored in an answer.

A step is an object with these fields. Others are refused.
- "id" (required): a letter, then letters, digits, "_" or "-", at most 63 characters in all; no two steps have the same
- "type" (required): one of "types"; with any other lower-case name, such as "legal.check", also give "role"
- "title" (required): one line for people, at most 200 characters
- "description": all that the agent has to know to do the step
- "role": who does it, where that is not the role of the type
- "needs": a list of ids of steps that have to end before this one begins. Steps that do not need one another run side by side. No circles
- "input": any JSON for the agent. Inside its strings, ${{ ... }} holds an expression (see below). This is how a result gets from one step to the next
- "when": a condition, without ${{ }}. Where it is false the step is skipped, and so are the steps that need it
- "gate": {"rework": "<id>", "maxReworks": 2}, for a step that judges the work of another one, such as a review. When its result says that the quality is not good enough, the step "rework", and every step that needs that one, is done again, and gets what the judge said as the field "feedback" of its input. "rework" has to be a step that this one needs, directly or through others, and its "input" an object or none
- "priority": "low", "medium", "high" or "critical"

Expressions are CEL (Common Expression Language). They read inputs.<name>, steps.<id>.output (what that step answered: any JSON) and steps.<id>.status ("completed", "failed", "cancelled" or "skipped"). An id with a hyphen is read as steps["unit-test"].output. A step may read only steps that it needs, directly or through others. A string that is one expression and nothing else becomes the value itself, of whatever type; within a longer string it becomes text. Of what a step answers rely on as little as you can: a field that is not there fails the step that reads it. Pass on the whole output rather than a field of it, and ask has(steps.test.output.passed) before you read one in a condition.

"outputs" of the plan is any JSON object whose strings may hold expressions: what is answered in the end. It may read every step. Leave it out where the input has "outputs".

An example. For the goal "Write a parser for our configuration language" with the input {"language": "Go"} this is a good answer:

{
  "steps": [
    {"id": "write", "type": "code.write", "title": "Write the parser", "description": "Write a parser for the configuration language that the repository's docs describe, in the language that the input names. Answer the names of the files and a summary.", "input": {"language": "${{ inputs.language }}"}},
    {"id": "review", "type": "code.review", "title": "Review the parser", "description": "Read the parser. Say what is wrong with it, and whether it is good enough.", "needs": ["write"], "input": {"code": "${{ steps.write.output }}"}, "gate": {"rework": "write", "maxReworks": 1}},
    {"id": "test", "type": "code.test", "title": "Test the parser", "description": "Write tests for the parser and run them. Answer what fails.", "needs": ["write"], "input": {"code": "${{ steps.write.output }}"}},
    {"id": "document", "type": "code.document", "title": "Document the parser", "description": "Write a page for people who use the parser. The notes are the reviewer's.", "needs": ["review", "test"], "input": {"code": "${{ steps.write.output }}", "notes": "${{ steps.review.output }}"}}
  ],
  "outputs": {"parser": "${{ steps.write.output }}", "docs": "${{ steps.document.output }}"}
}

Answer with the JSON object alone, or in one block that begins with a line ` + "```json" + ` and ends with a line ` + "```" + `. Do not do the work of the steps yourself.`
}
