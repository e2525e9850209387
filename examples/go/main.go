// An agent's loop in a language that Sidecall has no client for: generated stubs,
// the model's JSON as it came, and the bundle as it is.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	pb "sidecall.dev/examples/go/sidecallv1"
)

// message is one of a conversation; what it says stays as it was written.
type message struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

// answer is what the model says to a conversation.
type answer struct {
	message
	StopReason string `json:"stop_reason"`
}

func main() {
	log.SetFlags(0)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, os.Getenv("SIDECALL_ADDRESS"), os.Getenv("MODEL_URL")); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, address, model string) error {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	sidecall := pb.NewSidecallServiceClient(connection)

	tools, err := sidecall.ListTools(ctx, &pb.ListToolsRequest{
		Shape:      pb.Shape_SHAPE_ANTHROPIC,
		References: pb.References_REFERENCES_ON,
	})
	if err != nil {
		return err
	}
	question, err := json.Marshal("What should I know before I call Lovelace?")
	if err != nil {
		return err
	}
	conversation := []message{{Role: "user", Content: question}}
	for {
		said, err := ask(ctx, model, tools, conversation)
		if err != nil {
			return err
		}
		conversation = append(conversation, said.message)
		if said.StopReason != "tool_use" {
			return show(said.Content)
		}
		results, err := execute(ctx, sidecall, said.Content)
		if err != nil {
			return err
		}
		conversation = append(conversation, message{Role: "user", Content: results})
	}
}

// ask has the model say what comes next.
func ask(
	ctx context.Context, model string, tools *pb.ListToolsResponse, conversation []message,
) (*answer, error) {
	body, err := json.Marshal(map[string]any{
		"model":      "scripted",
		"max_tokens": 1024,
		"system":     tools.Instructions,
		"tools":      json.RawMessage(tools.ToolsJson),
		"messages":   conversation,
	})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, model+"/v1/messages", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the model refuses: %s", text)
	}
	said := new(answer)
	return said, json.Unmarshal(text, said)
}

// execute runs a turn, and gives the content of the user's next message.
func execute(
	ctx context.Context, sidecall pb.SidecallServiceClient, content json.RawMessage,
) (json.RawMessage, error) {
	events, err := sidecall.ExecuteBatch(ctx, &pb.ExecuteBatchRequest{
		SessionId:  "example-go",
		References: pb.References_REFERENCES_ON,
		Turn:       &pb.ExecuteBatchRequest_AnthropicJson{AnthropicJson: string(content)},
	})
	if err != nil {
		return nil, err
	}
	// Items are JSON text. A part may end in the middle of one; the next part
	// then begins with the rest of it.
	var bundle []json.RawMessage
	continues := false
	for {
		response, err := events.Recv()
		if errors.Is(err, io.EOF) {
			return json.Marshal(bundle)
		}
		if err != nil {
			return nil, err
		}
		switch event := response.Event.Event.(type) {
		case *pb.BatchEvent_CallFinished:
			result := event.CallFinished.Result
			running := result.GetTimings().GetRunning().AsDuration().Round(time.Millisecond)
			fmt.Printf("  %-16s %s %v\n", result.Tool, result.Outcome, running)
		case *pb.BatchEvent_BundlePart:
			for i, item := range event.BundlePart.Items {
				if i == 0 && continues {
					last := len(bundle) - 1
					bundle[last] = append(bundle[last], item...)
				} else {
					bundle = append(bundle, json.RawMessage(item))
				}
			}
			continues = event.BundlePart.LastItemContinues
		case *pb.BatchEvent_BatchFinished:
			summary := event.BatchFinished.Summary
			fmt.Printf("%d calls in %v; one by one %v\n", summary.Calls,
				summary.Duration.AsDuration().Round(time.Millisecond),
				summary.Sequential.AsDuration().Round(time.Millisecond))
		}
	}
}

// show prints the texts of an answer.
func show(content json.RawMessage) error {
	var blocks []struct {
		Text string `json:"text"`
	}
	if err := json.Unmarshal(content, &blocks); err != nil {
		return err
	}
	for _, block := range blocks {
		fmt.Println(block.Text)
	}
	return nil
}
