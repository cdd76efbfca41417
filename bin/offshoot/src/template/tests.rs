#![allow(clippy::unwrap_used)]

use super::*;

const HELLO: &str = r#"
AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: dev}
  Secret: {Type: String}
Globals:
  Function:
    Timeout: 5
    Runtime: python3.11
    Environment:
      Variables:
        STAGE: !Ref Stage
        SHARED: global
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub "hello-${Stage}"
      CodeUri: src/
      Handler: app.lambda_handler
      MemorySize: 256
      AutoPublishAlias: live
      EphemeralStorage: {Size: 1024}
      Environment:
        Variables:
          SHARED: own
          PEER: !GetAtt Other.Arn
          LITERAL: !Sub "${!Kept} ${AWS::Region}"
      FunctionUrlConfig:
        AuthType: NONE
        Cors: {AllowOrigins: ["*"]}
      EventInvokeConfig: {MaximumRetryAttempts: 1}
      Layers:
        - arn:aws:lambda:us-east-1:000000000000:layer:x:1
        - !Ref MyLayer
      Events:
        Api: {Type: Api, Properties: {Path: /, Method: get}}
  Other:
    Type: AWS::Serverless::Function
    Properties: {Handler: b.c, Timeout: "7"}
  MyLayer:
    Type: AWS::Serverless::LayerVersion
  Table:
    Type: AWS::DynamoDB::Table
"#;

#[test]
fn of_a_capacity_provider_the_events_at_once_are_taken_and_the_rest_is_named() {
    let text = r#"
Resources:
  Own:
    Type: AWS::Serverless::Function
    Properties:
      Handler: a.b
      CapacityProviderConfig: {Arn: !GetAtt Pool.Arn, PerExecutionEnvironmentMaxConcurrency: 8}
  Pool:
    Type: AWS::Lambda::CapacityProvider
"#;
    let template = read_text(text).unwrap();
    assert_eq!(template.functions[0].spec.concurrency, Some(8));
    let arn = "Own.CapacityProviderConfig.Arn".to_owned();
    assert!(template.ignored.contains(&arn), "{:?}", template.ignored);
}

fn givens() -> Givens {
    Givens {
        region: "us-east-1".to_owned(),
        ..Default::default()
    }
}

fn read_text(text: &str) -> Result<Template, TemplateError> {
    read(Path::new("template.yaml"), text, &givens())
}

fn problem(text: &str) -> String {
    read_text(text).unwrap_err().to_string()
}

#[test]
fn a_function_has_its_own_properties_over_the_globals() {
    let template = read_text(HELLO).unwrap();
    let hello = &template.functions[0];
    assert_eq!(hello.spec.name.as_deref(), Some("hello-dev"));
    assert_eq!(hello.code_uri, "src/");
    assert_eq!(hello.spec.runtime.as_deref(), Some("python3.11"));
    assert_eq!(
        (hello.spec.timeout_s, hello.spec.memory_mb),
        (Some(5), Some(256))
    );
    assert_eq!(hello.spec.ephemeral_mb, Some(1024));
    assert_eq!(hello.spec.alias.as_deref(), Some("live"));
    let variables = hello.spec.environment.as_ref().unwrap();
    assert_eq!(variables["STAGE"], "dev");
    assert_eq!(variables["SHARED"], "own");
    assert_eq!(
        variables["PEER"],
        "arn:aws:lambda:us-east-1:000000000000:function:Other"
    );
    assert_eq!(variables["LITERAL"], "${Kept} us-east-1");
    let url = hello.spec.url.as_ref().unwrap();
    assert_eq!(url.auth_type.as_deref(), Some("NONE"));
    assert_eq!(
        url.cors.as_ref().unwrap().allow_origins,
        Some(vec!["*".to_owned()])
    );
    assert_eq!(
        hello
            .spec
            .event_invoke
            .as_ref()
            .unwrap()
            .maximum_retry_attempts,
        Some(1)
    );
    assert_eq!(template.functions[1].spec.timeout_s, Some(7));
    assert_eq!(template.functions[1].code_uri, ".");
}

#[test]
fn what_has_no_effect_here_is_listed() {
    let ignored = read_text(HELLO).unwrap().ignored;
    assert!(
        ignored.contains(&"Table (AWS::DynamoDB::Table)".to_owned()),
        "{ignored:?}"
    );
    assert!(ignored.contains(&"Hello.Events".to_owned()), "{ignored:?}");
    assert!(
        ignored
            .iter()
            .any(|entry| entry.starts_with("Hello.Layers on line 36")),
        "{ignored:?}"
    );
}

#[test]
fn a_reference_to_a_resource_that_is_not_made_names_line_and_property() {
    let text = HELLO.replace("SHARED: own", "TABLE: !Ref Table");
    assert_eq!(
        problem(&text),
        "template.yaml:27: Hello.Environment.Variables.TABLE uses !Ref Table (of type AWS::DynamoDB::Table, \
         which offshoot does not make), which has no value here"
    );
    let given = Givens {
        variables: vec!["TABLE".to_owned()],
        ..givens()
    };
    assert!(read(Path::new("t.yaml"), &text, &given).is_ok());
}

#[test]
fn a_parameter_without_default_wants_a_value() {
    let text = HELLO.replace("SHARED: own", "KEY: !Ref Secret");
    assert!(
        problem(&text).contains("uses !Ref Secret"),
        "{}",
        problem(&text)
    );
    let parameters = BTreeMap::from([("Secret".to_owned(), "s".to_owned())]);
    let template = read(
        Path::new("t.yaml"),
        &text,
        &Givens {
            parameters,
            ..givens()
        },
    )
    .unwrap();
    assert_eq!(
        template.functions[0].spec.environment.as_ref().unwrap()["KEY"],
        "s"
    );
}

#[test]
fn a_number_that_is_none_names_its_property() {
    let text = HELLO.replace("MemorySize: 256", "MemorySize: lots");
    assert_eq!(
        problem(&text),
        "template.yaml:22: Hello.MemorySize must be a whole number, not \"lots\""
    );
}

#[test]
fn a_misspelt_property_is_listed_with_the_right_one() {
    let text = HELLO.replace("MemorySize: 256", "MemorySzie: 256");
    let ignored = read_text(&text).unwrap().ignored;
    assert!(
        ignored.contains(&"Hello.MemorySzie (did you mean MemorySize?)".to_owned()),
        "{ignored:?}"
    );
}

#[test]
fn code_that_is_not_here_is_refused() {
    assert!(problem(&HELLO.replace("src/", "s3://bucket/key")).contains("names an S3 object"));
    assert!(
        problem(&HELLO.replace("CodeUri: src/", "PackageType: Image")).contains("container images")
    );
}

#[test]
fn a_template_without_functions_or_without_yaml_is_an_error() {
    assert!(
        problem("Resources: {T: {Type: 'AWS::SNS::Topic'}}")
            .contains("no AWS::Serverless::Function")
    );
    assert!(problem("").contains("empty"));
    assert!(problem("a: [1, 2").starts_with("template.yaml:"));
    assert!(problem("\u{0}\u{1}").starts_with("template.yaml:"));
}

#[test]
fn a_json_template_is_read_too() {
    let text = r#"{"Resources": {"F": {"Type": "AWS::Serverless::Function",
        "Properties": {"Handler": "a.b", "Description": {"Fn::Join": ["-", ["x", {"Ref": "AWS::Region"}]]}}}}}"#;
    let template = read_text(text).unwrap();
    assert_eq!(
        template.functions[0].spec.description.as_deref(),
        Some("x-us-east-1")
    );
}
